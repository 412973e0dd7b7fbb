.git
.github
.venv
node_modules
tests
dist
bin
**/__pycache__
