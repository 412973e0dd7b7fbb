"""Where it is noted that a token was used: in one place that everybody who would take the token sees."""

from abc import ABC, abstractmethod

from kmcp_runtime.engine.sealing import Seal, Sealed


class UsedTokens(ABC):
    """Notes uses of tokens."""

    @abstractmethod
    async def take(self, token: Sealed) -> str | None:
        """Note the use of a token that is valid otherwise; answers why it must not be used, None when it may."""


class UsedInProcess(UsedTokens):
    """Notes them in this process, for which reason it takes no token of another."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._used: dict[str, float] = {}

    async def take(self, token: Sealed) -> str | None:
        if token.maker != self._seal.process:
            return (
                "the approval token was made by another process, and there is no place where the processes of this "
                "server note which tokens were used"
            )
        now = self._seal.clock()
        self._used = {identity: expires for identity, expires in self._used.items() if expires > now}
        if token.identity in self._used:
            return "the approval token has been used"
        self._used[token.identity] = token.expires
        return None
