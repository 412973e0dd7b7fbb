"""Configuration of the Grafana server."""

from pydantic import SecretStr

from kmcp_runtime import Settings, setting


class GrafanaSettings(Settings):
    grafana_url: str = setting("", "Address of Grafana, with its path prefix", env="GRAFANA_URL", required=True)
    grafana_public_url: str = setting(
        "", "Address that links start with (unset: GRAFANA_URL)", env="GRAFANA_PUBLIC_URL"
    )
    grafana_token: SecretStr | None = setting(
        None, "Token of a service account; used instead of user and password", env="GRAFANA_SERVICE_ACCOUNT_TOKEN"
    )
    grafana_token_file: str = setting("", "File with that token, read for each request", env="GRAFANA_TOKEN_FILE")
    grafana_username: str = setting(
        "", "User for basic authentication; server administration needs it", env="GRAFANA_USERNAME"
    )
    grafana_password: SecretStr | None = setting(None, "Password of that user", env="GRAFANA_PASSWORD")
    grafana_org_id: int = setting(
        0, "Organisation to act in, sent with each request (0: the identity's own)", env="GRAFANA_ORG_ID", ge=0
    )
    grafana_namespace: str = setting(
        "", "Namespace of Grafana's newer API (unset: the organisation's)", env="GRAFANA_NAMESPACE"
    )
    grafana_ca_file: str = setting("", "File with the certificate authorities to trust", env="GRAFANA_CA_FILE")
    grafana_cert_file: str = setting("", "File with this client's certificate", env="GRAFANA_CERT_FILE")
    grafana_key_file: str = setting("", "File with its key", env="GRAFANA_KEY_FILE")
    grafana_insecure: bool = setting(False, "Trust any certificate", env="GRAFANA_INSECURE")
    grafana_timeout: float = setting(
        25.0, "Deadline of one request to Grafana", env="GRAFANA_TIMEOUT", unit="seconds", gt=0, le=600
    )
    # Grafana locks what the API made in its pages, unless each request says otherwise.
    grafana_disable_provenance: bool = setting(
        True, "Keep alerting resources that are made here editable in Grafana's pages", env="GRAFANA_DISABLE_PROVENANCE"
    )
    # Off by default: one caller would change what all others see.
    grafana_switch_org: bool = setting(
        False, "Allow action=switch_org, which moves every caller of this server", env="GRAFANA_SWITCH_ORG"
    )
    # Off by default: the data would leave the house.
    grafana_external_snapshots: bool = setting(
        False, "Allow snapshots to be published outside of Grafana", env="GRAFANA_EXTERNAL_SNAPSHOTS"
    )
