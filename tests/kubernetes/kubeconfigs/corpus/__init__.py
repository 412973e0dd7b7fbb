"""The kubeconfigs, by subject; `<words>` are filled in by the laboratory."""

from tests.kubernetes.kubeconfigs.corpus.files import FILES
from tests.kubernetes.kubeconfigs.corpus.identity import IDENTITY
from tests.kubernetes.kubeconfigs.corpus.plugins import PLUGINS
from tests.kubernetes.kubeconfigs.corpus.proxies import PROXIES
from tests.kubernetes.kubeconfigs.corpus.servers import SERVER

CASES = [*IDENTITY, *SERVER, *PROXIES, *PLUGINS, *FILES]
