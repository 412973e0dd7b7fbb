"""Columns of tables in a text are named as fields are: what stands below is hidden, the rest of the table stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import redaction
from kmcp_runtime.redaction import tables

SECRET = "Zq7planted9Xw"
OTHER = "Km4planted2Rt"
TABLES = {
    "psql": " id | name | password\n----+------+----------\n  1 | bob  | {0}\n  2 | eve  | {1}\n(2 rows)\n",
    "mysql": "+-----+-------+\n| usr | Token |\n+-----+-------+\n| bob | {0} |\n| eve | {1} |\n+-----+-------+\n",
    "markdown": "| Service | API key |\n|:---|---:|\n| db | `{0}` |\n| mq | - |\n| c | {1} |\n",
    "kubectl": "NAME     TOKEN           AGE\nweb      {0}   3d\ncache    {1}   4d\n",
    "ruled": "User  Password\n====  =============\nbob   {0}\neve   {1}\n",
    "box": "│ user │ password │\n├──────┼──────────┤\n│ bob  │ {0} │\n│ eve  │ {1} │\n",
    "csv": 'name,password,note\nbob,{0},"a, b"\neve,"{1}",\n',
    "semicolons": "id;client_secret\n1;{0}\n2;{1}\n",
    "tabs": "user\tpassword\trole\nbob\t{0}\tadmin\neve\t{1}\tuser\n",
    "names and values": "Key         Value\n---         -----\npassword    {0}\nuser        bob\napi_key     {1}\n",
    "SQL": "INSERT INTO users (name, password) VALUES ('bob', '{0}'), ('it''s', '{1}');\n",
    "wide letters": "| Benutzer | Straße | password |\n|---|---|---|\n| Jürgen | ä | {0} |\n| é | ö | {1} |\n",
}
HARMLESS = (
    "NAME        STORE   READY\ndb-secret   vault   True\n",
    "NAME      TOKENS   AGE\nmodel-a   4096     3d\n",
    "NAME   SECRET    EXPIRES\nweb    web-tls   2027-01-01\n",
    " Column   |  Type   | Nullable\n----------+---------+---------\n password | text    | not null\n",
    "| Parameter | Description | Default |\n|---|---|---|\n| auth.password | Password of the user | x |\n",
    "NAME   PASSWORD   AGE\nweb    <none>     3d\n",
    "user, password and token\nthen, what follows 1a2b3c4d\n",
    "| Variable | Value |\n|---|---|\n| LOG_LEVEL | info |\n| TOKEN_TTL | 3600 |\n",
    "name,token_type\nbob,bearer\n",
    "INSERT INTO users (name, age) VALUES ('bob', '7');",
)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_cell_below_a_credential_is_hidden_and_nothing_else(table: str) -> None:
    before, behind = "it printed\n\n", "\nthat is all\n"
    assert redaction.text(before + table.format(SECRET, OTHER) + behind) == (
        before + table.format("[hidden]", "[hidden]") + behind
    )


@pytest.mark.parametrize("text", HARMLESS)
def test_a_table_without_secrets_stays(text: str) -> None:
    assert redaction.text(text) == text


def test_a_table_ends_with_its_rows() -> None:
    text = f"name,password\nbob,{SECRET}\n\nname,Qx9vLm2tRb\n"
    assert redaction.text(text) == text.replace(SECRET, "[hidden]")


def test_a_table_in_a_field_shows_whether_a_cell_changed() -> None:
    def shown(secret: str) -> str:
        body = {
            "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "x"},
            "data": {"t": f"u,password\nb,{secret}\n"},
        }
        found: str = redaction.value(body)["data"]["t"]
        return found

    assert SECRET not in shown(SECRET)
    assert shown(SECRET) == shown(SECRET)
    assert shown(SECRET) != shown(OTHER)


def test_a_longer_table_is_hidden_to_its_end() -> None:
    rows = "".join(f"user{number},Zq7planted{number}Xw\n" for number in range(tables.MOST_ROWS + 50))
    told = redaction.text(f"name,password\n{rows}\nafterwards\n")
    assert "planted" not in told
    assert told.endswith("[hidden]\n\nafterwards\n")


CELLS = st.text(st.sampled_from("ab1 |,;\t\"'-+│"), max_size=12)


@given(st.lists(st.lists(CELLS, max_size=4).map(" | ".join) | CELLS | st.just("a,password"), max_size=8).map("\n".join))
def test_any_lines_below_a_header_are_read(lines: str) -> None:
    for header in ("name | password", "NAME    PASSWORD", "a,password", "x\ttoken"):
        once = redaction.text(f"{header}\n{lines}")
        assert redaction.text(once) == once


def test_rows_of_a_dump_are_cells_of_the_columns_that_it_names() -> None:
    rows = "1\tanna\t{}\n2\tbert\t\\N\n3\tcarl\t{}\n\\.\n\nSELECT\t1\tx;\n"
    dump = f"COPY public.users (id, name, password) FROM stdin;\n{rows}"
    assert redaction.text(dump.format("short", SECRET)) == dump.format("[hidden]", "[hidden]")
    rows = "".join(f"{number}\tZq7planted{number}Xw\n" for number in range(tables.MOST_ROWS + 50))
    assert "planted" not in redaction.text(f"COPY users (id, password) FROM stdin;\n{rows}\\.\n")
