"""`kmcp-suite build`: the image of a project, with the engine that this machine has."""

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from kmcp_develop.project.description import FILE, Project, ProjectError, read_project
from kmcp_runtime import command, image_names
from kmcp_runtime.errors import ToolFailure

ENGINES = ("docker", "podman", "buildah")
_SECONDS = 3600.0


def build(argv: Sequence[str]) -> int:
    """Build the image of a project with docker, podman or buildah, and name it in its manifest."""
    parser = argparse.ArgumentParser("kmcp-suite build", description=build.__doc__)
    parser.add_argument("project", type=Path, nargs="?", default=Path(), help="its folder (default: this one)")
    parser.add_argument("--image", help="name and tag (default: what kmcp.yaml says)")
    parser.add_argument("--engine", choices=ENGINES, help="default: the first of them that works here")
    parser.add_argument("--push", action="store_true", help="push it to its registry")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="for the Dockerfile")
    given = parser.parse_args(argv)
    try:
        project = read_project(given.project)
        return asyncio.run(_build(project, given))
    except (ProjectError, ToolFailure, OSError) as error:
        print(f"kmcp-suite build: {error}", file=sys.stderr)
        return 1


async def _build(project: Project, given: argparse.Namespace) -> int:
    image = given.image or project.image
    if not image_names.is_tag(image):
        example = f"registry.example.com/team/{project.name}:0.1.0"
        raise ProjectError(f"{image!r} is not the name of an image, such as {example}")
    if given.push and image.startswith("localhost/"):
        raise ProjectError(f"{image} is an image of this machine: name one of a registry with --image")
    if not (project.folder / "Dockerfile").is_file():
        raise ProjectError(f"{project.folder} has no Dockerfile")
    engine = await _engine(given.engine)
    verb = ["bud"] if engine == "buildah" else ["build"]
    arguments = [f"--build-arg={each}" for each in given.build_arg]
    await _run([engine, *verb, *arguments, "--tag", image, str(project.folder)], f"{engine} could not build {image}")
    if given.push:
        await _run([engine, "push", image], f"{engine} could not push {image}")
    _name_image(project, image)
    print(f"{image}: built with {engine}" + ("; pushed" if given.push else "; nodes of a cluster need it, too: --push"))
    return 0


async def _engine(wanted: str | None) -> str:
    """One that answers. Errors: ProjectError with what each says."""
    told = []
    for name in [wanted] if wanted else ENGINES:
        if shutil.which(name) is None:
            told.append(f"{name} is not installed")
            continue
        # `docker info` asks the daemon: the program alone can build nothing.
        done = await command.run([name, "info"], env=dict(os.environ), seconds=60)
        if done.code == 0:
            return name
        told.append(f"{name}: {(done.stderr.strip() or done.stdout.strip() or 'it fails').splitlines()[-1]}")
    raise ProjectError(f"no engine can build images here ({'; '.join(told)}): install docker, podman or buildah")


async def _run(argv: Sequence[str], failure: str) -> None:
    env = dict(os.environ)
    done = await command.run(argv, env=env, seconds=_SECONDS, line=lambda text: print(text, file=sys.stderr))
    if done.code:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-3:]
        raise ProjectError(f"{failure}: {' / '.join(last)}")


def _name_image(project: Project, image: str) -> None:
    """In the project's description and its manifest, so that `deploy` runs what was built."""
    if image == project.image:
        return
    for path in (project.folder / FILE, project.manifest):
        if path.is_file():
            path.write_text(path.read_text().replace(f"image: {project.image}\n", f"image: {image}\n"))
