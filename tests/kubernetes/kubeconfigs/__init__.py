"""Kubeconfigs as kubectl 1.36 reads them (K1-K9): a corpus, the servers that record who came, and what is shapeless."""
