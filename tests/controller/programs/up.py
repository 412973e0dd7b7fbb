"""`kmcp-suite up` with another program in the place of `kmcp-suite serve`.

usage: up.py CATALOG PORT MANAGEMENT_PORT CATALOG_PORT [MANIFESTS [SECRETS]]
"""

import sys
from pathlib import Path

from kmcp_controller.cli.up import start
from kmcp_controller.local.suite import Options
from tests.slowness import scaled

if __name__ == "__main__":
    catalog, port, management_port, catalog_port, *folders = sys.argv[1:]
    here = Path(__file__).parent
    options = Options(
        port=int(port),
        management_port=int(management_port),
        catalog_port=int(catalog_port),
        secrets=Path(folders[1]) if len(folders) > 1 else None,
        serve=(sys.executable, str(here / "serve.py")),
        scripts=Path(catalog).parent / "scripts",
        deadline=scaled(60),
    )
    sys.exit(start(Path(catalog), Path(folders[0]) if folders else None, options))
