"""Dashboards and what belongs to them: versions, folders, permissions, annotations, snapshots, playlists, links.

Which of these functions are actions, and of which tool, is declared in `tools`.
"""
