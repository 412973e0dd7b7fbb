"""The tools, a file for each, named as the tool without `grafana_`: the table of its actions, or its function.

What an action does is in the packages by subject; each row names the function.
"""
