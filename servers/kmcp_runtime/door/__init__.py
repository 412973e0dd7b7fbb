"""Finding a tool among many by what it is for: BM25 over names, descriptions and arguments, with operators' synonyms.

It knows texts and no server; what a found tool does, and who may call it, does not belong here (`engine.door`).
"""
