"""What plain words say of schedules and amounts (G10); the API server judges the schedules."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kmcp_kubernetes.drafts.amounts import amounts_of
from kmcp_kubernetes.drafts.cron_fields import fault
from kmcp_kubernetes.drafts.intent import facts_of
from kmcp_kubernetes.drafts.schedules import schedule_of
from tests.mcp import ToolCaller

SCHEDULES = (
    ("every day at 3am", "0 3 * * *"),
    ("every weekday at 9:30", "30 9 * * 1-5"),
    ("hourly", "0 * * * *"),
    ("every 15 minutes", "*/15 * * * *"),
    ("every minute", "* * * * *"),
    ("every 2 hours", "0 */2 * * *"),
    ("every hour", "0 * * * *"),
    ("every 5 mins", "*/5 * * * *"),
    ("every half hour", "*/30 * * * *"),
    ("every other hour", "0 */2 * * *"),
    ("nightly at 2", "0 2 * * *"),
    ("every night at 2:30 am", "30 2 * * *"),
    ("every Monday at 8am", "0 8 * * 1"),
    ("on Mondays and Thursdays at 18:00", "0 18 * * 1,4"),
    ("Monday to Friday at 7 pm", "0 19 * * 1-5"),
    ("mon-fri at 06:45", "45 6 * * 1-5"),
    ("weekends at noon", "0 12 * * 0,6"),
    ("on the 1st of every month at 4am", "0 4 1 * *"),
    ("monthly on the 15th at 00:30", "30 0 15 * *"),
    ("on the 1st and 15th at 6:00", "0 6 1,15 * *"),
    ("first day of the month at midnight", "0 0 1 * *"),
    ("every 15 minutes between 9am and 5pm on weekdays", "*/15 9-17 * * 1-5"),
    ("every hour from 8 to 18", "0 8-18 * * *"),
    ("every day at 9am and 5pm", "0 9,17 * * *"),
    ("at 9 and 17 every day", "0 9,17 * * *"),
    ("twice a day", "0 */12 * * *"),
    ("three times a day", "0 */8 * * *"),
    ("weekly on Sunday at 5am", "0 5 * * 0"),
    ("every sunday at 03:00", "0 3 * * 0"),
    ("quarterly on the 1st at 1am", "0 1 1 */3 *"),
    ("every January 1st at midnight", "0 0 1 1 *"),
    ("yearly on March 3 at 10:00", "0 10 3 3 *"),
    ("every six hours", "0 */6 * * *"),
    ("every hour at minute 15", "15 * * * *"),
    ("15 minutes past every hour", "15 * * * *"),
    ("every 120 minutes", "0 */2 * * *"),
    ("every 24 hours at 4am", "0 4 * * *"),
    ("every tuesday, thursday and saturday at 14:05", "5 14 * * 2,4,6"),
    ("schedule 0 9 * * MON-FRI", "0 9 * * mon-fri"),
    ('at "30 2 * * 1-5"', "30 2 * * 1-5"),
    ("@daily", "@daily"),
    ("run */5 * * * * please", "*/5 * * * *"),
    ("at 0 9 ? * MON", "0 9 ? * mon"),
    ("@every 1h30m", "@every 1h30m"),
    ("@every 7m", "@every 7m"),
    ("every day at half past 3", "30 3 * * *"),
    ("every working day at 8 in the evening", "0 20 * * 1-5"),
    ("every day at 12am", "0 0 * * *"),
    ("every day at 12pm", "0 12 * * *"),
    ("every day at 3 p.m.", "0 15 * * *"),
    ("every workday at 17h", "0 17 * * 1-5"),
    ("every day at 03:00 UTC", "0 3 * * *"),
    ("at 3am", "0 3 * * *"),
    ("Every Saturday night at 11pm", "0 23 * * 6"),
    ("backup every Fri at 22:00", "0 22 * * 5"),
    ("every 10 minutes on Saturdays", "*/10 * * * 6"),
    ("A cronjob named backup, image postgres:16, every weekday at 9:30, memory limit 256Mi, port 8080", "30 9 * * 1-5"),
    ("once a day at 6am", "0 6 * * *"),
    ("once a week on Wednesday at 7:00", "0 7 * * 3"),
    ("every morning at 7", "0 7 * * *"),
    ("at 5:15 pm on Fridays", "15 17 * * 5"),
    ("each month on the 3rd at 02:00", "0 2 3 * *"),
)
GUESSES = (
    ("daily", "0 0 * * *", "no time of day"),
    ("every morning", "0 8 * * *", "no time of day"),
    ("weekly at 5am", "0 5 * * 0", "no day of the week"),
    ("monthly at 5am", "0 5 1 * *", "no day of the month"),
    ("every 7 minutes", "*/7 * * * *", "anew each hour"),
    ("every 5 hours", "0 */5 * * *", "anew each day"),
    ("every two days at 4am", "0 4 */2 * *", "anew each month"),
    ("every 30 seconds", "* * * * *", "not seconds"),
    ("every other Monday at 9", "0 9 * * 1", "every other week"),
    ("the last day of the month at 17:00", "0 17 28 * *", "last day of the month"),
    ("every first Monday of the month at 9", "0 9 * * 1", "n-th weekday"),
    ("at 8:15 and 18:45 every day", "15 8 * * *", "all of these times"),
    ("every day at 6am except on holidays", "0 6 * * *", "exception"),
    ("every hour during business hours", "0 9-17 * * *", "hours not said"),
    ("every 90 minutes", "*/90 * * * *", "once in each"),
    ("at 0 9 * * 7", "0 9 * * 0", "Sunday is 0"),
    ("at 0 9 * * 1,5-7", "0 9 * * 1,5-6,0", "Sunday is 0"),
)
"""What cron cannot say, or nobody has said: the expression is a placeholder with the reason."""
REFUSED = {
    "60 * * * *": "minute '60': from 0 to 59",
    "0 24 * * *": "hour '24': from 0 to 23",
    "0 0 0 * *": "day of the month '0': from 1 to 31",
    "0 0 * 13 *": "month '13': from 1 to 12",
    "0 0 * * 8": "day of the week '8': from 0 to 6",
    "0 0 * * fri-mon": "day of the week 'fri-mon': the range ends before it begins",
    "*/0 * * * *": "minute '*/0': a step is a whole number from 1 on",
    "0 1-2-3 * * *": "hour '1-2-3': not a number",
    "@every 1d": "Go has no unit above the hour",
}
"""What Kubernetes (robfig/cron) refuses, and why."""
NO_SCHEDULE = (
    "A service for the frontend that is exposed to the world in the cluster",
    "named web, nginx:1.27, 3 replicas, port 80",
    "between 2 and 8 replicas at 60%",
    "80:8080",
    "at least 2 at most 5",
    "min 2 max 8 from namespace front",
    "host a.example.com to reviews:9080",
)
AMOUNTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("memory limit 256Mi", {"memory_limit": "256Mi"}),
    ("256Mi memory limit", {"memory_limit": "256Mi"}),
    ("limit memory to 256Mi", {"memory_limit": "256Mi"}),
    ("limits: cpu 500m, memory 256Mi", {"cpu_limit": "500m", "memory_limit": "256Mi"}),
    (
        "requests 100m cpu and 128Mi memory, limits 500m cpu and 512Mi memory",
        {"cpu_request": "100m", "memory_request": "128Mi", "cpu_limit": "500m", "memory_limit": "512Mi"},
    ),
    ("cpu request 100m, cpu limit 500m", {"cpu_request": "100m", "cpu_limit": "500m"}),
    ("100m CPU request and 1 CPU limit", {"cpu_request": "100m", "cpu_limit": "1"}),
    ("request 128Mi and limit 256Mi of memory", {"memory_request": "128Mi", "memory_limit": "256Mi"}),
    ("memory request 128Mi, memory limit 256Mi", {"memory_request": "128Mi", "memory_limit": "256Mi"}),
    ("256Mi of memory, 200m cpu", {"memory": "256Mi", "cpu": "200m"}),
    ("512 MB of RAM", {"memory": "512M"}),
    ("2 GB memory", {"memory": "2G"}),
    ("half a core", {"cpu": "500m"}),
    ("250 millicores", {"cpu": "250m"}),
    ("limited to 256Mi memory", {"memory_limit": "256Mi"}),
    ("at most 512Mi of memory", {"memory_limit": "512Mi"}),
    ("max memory 1Gi", {"memory_limit": "1Gi"}),
    ("cpu: 2", {"cpu": "2"}),
    ("cpu limit of 1", {"cpu_limit": "1"}),
    ("cpu 80%", {}),
    ("at 60% cpu", {}),
    ("10Gi storage", {}),
    ("a 20Gi disk", {}),
    ("pvc of 5Gi and 1Gi memory", {"memory": "1Gi"}),
    ("every 5m", {}),
    ("named web, nginx:1.27, 3 replicas, port 80", {}),
    (
        "requests of 250m CPU and 64Mi, limits of 500m and 128Mi",
        {"cpu_request": "250m", "memory_request": "64Mi", "cpu_limit": "500m", "memory_limit": "128Mi"},
    ),
    ("2 vCPUs and 4GiB RAM", {"cpu": "2", "memory": "4Gi"}),
    (
        "resources: requests: cpu: 100m memory: 64Mi limits: cpu: 1 memory: 128Mi",
        {"cpu_request": "100m", "memory_request": "64Mi", "cpu_limit": "1", "memory_limit": "128Mi"},
    ),
    ("with a limit of 1 core and 512 mebibytes", {"cpu_limit": "1", "memory_limit": "512Mi"}),
    ("every day at 3am, memory limit 256Mi, nginx 1.27", {"memory_limit": "256Mi"}),
)
WORDS = [*{word for said, *_ in (*SCHEDULES, *GUESSES, *AMOUNTS) for word in str(said).split()}]


@pytest.mark.parametrize(("said", "expression"), SCHEDULES)
def test_spoken_schedules(said: str, expression: str) -> None:
    found = schedule_of(said)
    assert found is not None
    assert (found.expression, found.guesses) == (expression, [])


@pytest.mark.parametrize(("said", "expression", "why"), GUESSES)
def test_what_is_not_said_is_a_guess(said: str, expression: str, why: str) -> None:
    found = schedule_of(said)
    assert found is not None
    assert found.expression == expression
    assert why in found.why


@pytest.mark.parametrize(("expression", "why"), REFUSED.items())
def test_an_expression_that_kubernetes_refuses_says_so(expression: str, why: str) -> None:
    found = schedule_of(f"run {expression} with busybox")
    assert found is not None
    assert found.expression == expression
    assert why in found.why.partition("Kubernetes refuses it: ")[2]


@pytest.mark.parametrize("said", NO_SCHEDULE)
def test_no_schedule_is_read_into_other_words(said: str) -> None:
    assert schedule_of(said) is None


@pytest.mark.parametrize(("said", "amounts"), AMOUNTS)
def test_spoken_amounts(said: str, amounts: dict[str, str]) -> None:
    assert amounts_of(said) == amounts


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=6)), max_size=14).map(" ".join))
def test_any_words_give_facts_of_the_right_shape(said: str) -> None:
    facts = facts_of(said)
    if "schedule" in facts and "=" not in said:
        assert fault(facts["schedule"]) is None or "Kubernetes refuses it" in facts["schedule_guess"], facts
    for name in ("cpu", "cpu_limit", "cpu_request"):
        assert "=" in said or re.fullmatch(r"\d+(\.\d+)?m?", facts.get(name, "1"))
    for name in ("memory", "memory_limit", "memory_request"):
        assert "=" in said or re.fullmatch(r"\d+(\.\d+)?([kMGT]|[KMGT]i)", facts.get(name, "1Mi"))


async def drafted(tools: ToolCaller, resource_type: str, description: str) -> tuple[Any, dict[str, str]]:
    """The draft as an object, and why each placeholder is one."""
    told = await tools.ok("k8s_generate_resource", resource_type=resource_type, resource_description=description)
    assert told["server_dry_run"] == "passed", told
    return yaml.safe_load(told["yaml"]), {each["path"]: each["why"] for each in told["placeholders"]}


@pytest.mark.cluster
async def test_the_api_server_takes_every_schedule(tools: ToolCaller) -> None:
    for said, expression, *_ in (*SCHEDULES[::4], *GUESSES):
        found, _ = await drafted(tools, "cronjob", f"named a, {said}")
        assert found["spec"]["schedule"] == expression


@pytest.mark.cluster
async def test_a_cron_job_has_what_the_words_say(tools: ToolCaller) -> None:
    said = "named backup, nginx 1.27, every day at 3am Europe/Berlin, memory limit 256Mi, runs `pg_dump -h db`"
    found, placeholders = await drafted(tools, "cronjob", said)
    assert (found["spec"]["schedule"], found["spec"]["timeZone"]) == ("0 3 * * *", "Europe/Berlin")
    (container,) = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["command"]) == ("nginx:1.27", ["pg_dump", "-h", "db"])
    assert container["resources"]["limits"] == {"memory": "256Mi"}
    resources = "spec.jobTemplate.spec.template.spec.containers[0].resources"
    assert set(placeholders) == {f"{resources}.requests.cpu", f"{resources}.requests.memory"}
    _, placeholders = await drafted(tools, "cronjob", "named backup, postgres, nightly")
    assert "no time of day" in placeholders["spec.schedule"]
    assert "no version" in placeholders["spec.jobTemplate.spec.template.spec.containers[0].image"]


@pytest.mark.cluster
async def test_what_is_said_is_no_placeholder_and_the_rest_is(tools: ToolCaller) -> None:
    said = "named web, nginx 1.27, ports 80 and 443, 2 replicas, env mode=fast, requests 100m cpu and 64Mi memory, "
    found, placeholders = await drafted(tools, "deployment", f"{said} limits 1 cpu and 128Mi memory")
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert placeholders == {}
    assert container["ports"] == [{"containerPort": 80}, {"containerPort": 443}]
    assert container["env"] == [{"name": "mode", "value": "fast"}]
    limits, requests = {"cpu": "1", "memory": "128Mi"}, {"cpu": "100m", "memory": "64Mi"}
    assert container["resources"] == {"limits": limits, "requests": requests}
    service, placeholders = await drafted(tools, "service", "named web, ports 80 and 443")
    assert [port["port"] for port in service["spec"]["ports"]] == [80, 443]
    assert placeholders == {}
    _, placeholders = await drafted(tools, "service", "named web")
    assert set(placeholders) == {"spec.ports[0].port", "spec.ports[0].targetPort"}
    quota, placeholders = await drafted(tools, "resourcequota", "named q, 20 pods, 4 cpus, limits of 16Gi memory")
    assert quota["spec"]["hard"] == {
        "requests.cpu": "4",
        "requests.memory": "16Gi",
        "limits.memory": "16Gi",
        "pods": "20",
    }
    assert set(placeholders) == {"spec.hard.requests.memory"}
