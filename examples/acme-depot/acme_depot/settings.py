"""Configuration: each field is a flag and an environment variable, here `--depot-file` and `KMCP_DEPOT_FILE`."""

from kmcp_runtime import Settings, setting


class DepotSettings(Settings):
    depot_file: str = setting("", "JSON file of shelves, name to number of items", required=True)
