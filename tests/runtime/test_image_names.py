"""Names of images: the tables hold what distribution/reference says of each, which kubelets ask."""

from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import image_names

SHA = "@sha256:" + "0" * 64
NAMES = (
    *(
        "nginx",
        "nginx:1.27",
        "library/nginx",
        "ghcr.io/org/app:v1.2.3",
        "localhost/kmcp/x",
        "localhost:5000/a/b:latest",
    ),
    *("registry.k8s.io/pause:3.10", "[::1]:5000/x:Y", "10.0.0.1:5000/team/app", "Host.Example.com/app", "UPPER/app"),
    *("a.b_c", "a__b", "a---b", "my_registry/app", "app:Tag_1.2-3", "app:_x", "a:" + "t" * 128, "sha256:abc", "f" * 63),
)
NO_NAMES = (
    *("", " nginx", "Nginx", "nginx:", "nginx:latest ", "/a", "a/", "a//b", "a..b", "a_.b", "a___b", "-a", "a-", "_a"),
    *("https://a/b", "a:b:c", "host:port/a", "app:-x", "app:" + "t" * 129, "app:1+2", "app@sha256:abc", f"app{SHA}0"),
    *("f" * 64, "host.io/A", "a b", "é", "app:é", "app\n", "host_1.io:80/a", "app@md5:" + "0" * 32),
)


def test_names_are_those_of_kubelets() -> None:
    assert [name for name in NAMES if not image_names.is_tag(name)] == []
    assert [name for name in NAMES if not image_names.is_reference(name + SHA)] == []
    assert [name for name in NO_NAMES if image_names.is_reference(name)] == []
    assert [name for name in NAMES if image_names.is_tag(name + SHA)] == []


@given(st.from_regex(r"([a-z0-9.]{1,9}(:[0-9]{1,5})?/)?[a-z0-9._/-]{1,20}(:[\w.-]{1,9})?", fullmatch=True))
def test_a_part_of_a_name_is_one(text: str) -> None:
    if image_names.is_reference(text):
        path, _, tag = text.rpartition("/")[2].partition(":")
        assert image_names.is_reference(path)
        assert image_names.is_reference(f"{text.removesuffix(f':{tag}')}:1")
        assert not image_names.is_reference(f"{text} ")
