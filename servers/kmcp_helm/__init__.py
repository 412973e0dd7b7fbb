"""Helm: releases read natively, charts installed and shown through the helm binary."""
