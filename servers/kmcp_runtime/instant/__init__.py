"""The first answers over stdio, from files that were prepared, before the engine is imported.

Many clients wait five seconds for the handshake and the list of tools, and the import of the engine alone takes two.
So a server's script enters here: `start` decides by the settings whether the prepared list is the one that the engine
would answer (`choice`), `desk` answers with it (`messages`), and the engine is loaded behind it and takes the session
over. Whatever is not certain is left to the engine.

Standard library only, and of it what loads fast. What needs the engine does not belong here.
"""
