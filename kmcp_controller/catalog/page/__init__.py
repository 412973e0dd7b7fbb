"""The catalog as pages to read: templates, one style and one small script, without which everything works as well.

Here: what is searched for (`finding`), what the templates are given (`views`), the next step for what is not well
(`next_steps`), how a schema reads as a table (`schemas`). Not here: HTTP (`catalog.site`), and what a server is
(`catalog.live_server`). All that servers say is hostile text: the templates escape it, and the policy of the pages lets
no script run but ours.
"""
