"""What tools answer: samples, summaries, alerts, rules and configuration, read from the API's JSON.

Belongs here: models and the readers that fill them. Does not: hints about what to ask next (`guidance`).
"""
