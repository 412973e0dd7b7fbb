"""Configuration of the Prometheus server."""

from pydantic import SecretStr

from kmcp_runtime import Settings, setting


class PrometheusSettings(Settings):
    shaping = ("prometheus_datasources_file",)

    prometheus_url: str = setting(
        "", "Address of the Prometheus API, with its path prefix if it has one", env="PROMETHEUS_URL", required=True
    )
    prometheus_token: SecretStr | None = setting(None, "Bearer token for it", env="PROMETHEUS_TOKEN")
    prometheus_token_file: str = setting(
        "", "File with the bearer token, read for each request", env="PROMETHEUS_TOKEN_FILE"
    )
    prometheus_username: str = setting("", "User for basic authentication", env="PROMETHEUS_USERNAME")
    prometheus_password: SecretStr | None = setting(None, "Password of that user", env="PROMETHEUS_PASSWORD")
    prometheus_tenant: str = setting("", "Tenant, sent as X-Scope-OrgID (Mimir, Thanos)", env="PROMETHEUS_TENANT")
    prometheus_ca_file: str = setting(
        "", "PEM file with the certificate authorities to trust", env="PROMETHEUS_CA_FILE"
    )
    prometheus_cert_file: str = setting("", "PEM file with the client certificate", env="PROMETHEUS_CERT_FILE")
    prometheus_key_file: str = setting("", "PEM file with its key", env="PROMETHEUS_KEY_FILE")
    prometheus_insecure: bool = setting(False, "Trust any certificate", env="PROMETHEUS_INSECURE")
    # Below the 30 s of a call, so that Prometheus' own message arrives first.
    prometheus_timeout: float = setting(
        25.0, "Deadline of a request", env="PROMETHEUS_TIMEOUT", unit="seconds", gt=0, le=3600
    )
    prometheus_admin: bool = setting(
        False, "Allow snapshots, deletion of series and cleaning of tombstones", env="PROMETHEUS_ADMIN"
    )
    prometheus_datasources_file: str = setting(
        "", "YAML file of several data sources; the first is the default", env="PROMETHEUS_DATASOURCES_FILE"
    )
