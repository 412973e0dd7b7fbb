"""Rules, dashboards and the page of metrics and spans, against what runs."""
