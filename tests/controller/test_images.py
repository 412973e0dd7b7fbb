"""Where images come from, and the settings of adapters and probes that a manifest leads to."""

import pytest
import yaml

from kmcp_bridge.settings import BridgeSettings
from kmcp_controller.program.settings import ControllerSettings
from kmcp_controller.render.pod import HANDSHAKE_SECONDS
from kmcp_controller.spec import Platform
from kmcp_runtime.settings import SettingsError
from kmcp_runtime.settings import parse as parse_settings
from tests.controller.manifests import manifest
from tests.controller.test_render import STDIO, SUITE, container, rendered


def test_agentgateway_comes_from_where_upstream_takes_it() -> None:
    """U1: the same names in another registry are somebody else's images."""
    (init,) = rendered(manifest(STDIO, "stdio"))["Deployment"]["spec"]["template"]["spec"]["initContainers"]
    assert init["image"] == "ghcr.io/agentgateway/agentgateway:0.9.0-musl"
    settings = ControllerSettings()
    assert settings.platform().adapter_image == init["image"]
    assert settings.platform().default_images == Platform().default_images


@pytest.mark.parametrize(
    ("image", "version", "meant"),
    [
        ("ghcr.io/agentgateway/agentgateway:0.9.0-musl", "0.10.1", "ghcr.io/agentgateway/agentgateway:0.10.1-musl"),
        ("localhost:5000/agentgateway", "0.10.1", "localhost:5000/agentgateway:0.10.1-musl"),
        ("reg:5000/a/b:1@sha256:" + "0" * 64, "0.10.1", "reg:5000/a/b:0.10.1-musl"),
        ("reg/a@sha256:" + "0" * 64, "0.10.1-musl", "reg/a:0.10.1-musl"),
        ("reg/a:1", "", "reg/a:1"),
    ],
)
def test_a_version_of_agentgateway(image: str, version: str, meant: str) -> None:
    """U2: a version becomes a tag as upstream makes it, whatever the image's name holds."""
    settings = ControllerSettings(adapter_image=image, transport_adapter_version=version)
    assert settings.platform().adapter_image == meant


def test_a_version_is_no_way_to_another_image() -> None:
    environment = {"TRANSPORT_ADAPTER_VERSION": "1@sha256:0"}
    with pytest.raises(SettingsError, match="TRANSPORT_ADAPTER_VERSION"):
        parse_settings([ControllerSettings], [], environment, "kmcp-controller", "")


@pytest.mark.parametrize(
    ("image", "meant"),
    [
        ("reg:5000/kmcp-bridge", "reg:5000/kmcp-bridge:latest-uv"),
        ("reg:5000/kmcp-bridge:1.2", "reg:5000/kmcp-bridge:1.2-uv"),
        ("reg/kmcp-bridge@sha256:" + "0" * 64, "reg/kmcp-bridge@sha256:" + "0" * 64),
    ],
)
def test_the_variant_of_the_bridge(image: str, meant: str) -> None:
    """U2: the suffix belongs to the tag; a digest is one image."""
    platform = Platform(bridge_image=image)
    assert container(manifest({"cmd": "uvx"}, "stdio"), platform=platform)["image"] == meant


def test_no_tools_means_none() -> None:
    """D8: an empty list restricts to nothing, for each adapter."""
    for deployment, transport in (SUITE, "http"), ({"cmd": "uvx"}, "stdio"):
        env = {each["name"]: each["value"] for each in container(manifest(deployment, transport, tools=[]))["env"]}
        assert env["KMCP_TOOLS"] == ","
    text = rendered(manifest(STDIO, "stdio", tools=[]))["ConfigMap"]["data"]["local.yaml"]
    (route,) = yaml.safe_load(text)["binds"][0]["listeners"][0]["routes"]
    assert route["policies"] == {"mcpAuthorization": {"rules": ["false"]}}


@pytest.mark.parametrize(
    ("env", "extension", "seconds"), [({}, "", 150), ({"KMCP_BRIDGE_HANDSHAKE": "600"}, "", 630), ({}, "300", 330)]
)
def test_a_start_has_the_time_that_the_bridge_gives_it(env: dict[str, str], extension: str, seconds: int) -> None:
    """D14: the probe that ends a pod waits longer than the handshake that it waits for."""
    extensions = {"env": [{"name": "KMCP_BRIDGE_HANDSHAKE", "value": extension}]} if extension else {}
    probe = container(manifest({"cmd": "uvx", "env": env}, "stdio", **extensions))["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == seconds
    assert BridgeSettings().handshake == HANDSHAKE_SECONDS


def test_the_init_container_inherits_the_security_context() -> None:
    """U3: what the user sets for the server, unless the init container has its own."""
    user = {"runAsUser": 1000, "runAsNonRoot": True}
    for own, expected in ({}, user), ({"securityContext": {"runAsUser": 7}}, {"runAsUser": 7}):
        deployment = {**STDIO, "securityContext": user, "initContainer": own}
        spec = rendered(manifest(deployment, "stdio"))["Deployment"]["spec"]["template"]["spec"]
        security = spec["initContainers"][0]["securityContext"]
        assert security == {"allowPrivilegeEscalation": False, **expected}
