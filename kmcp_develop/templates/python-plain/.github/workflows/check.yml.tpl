name: check
on:
  push: {branches: [main]}
  pull_request:
permissions: {}
jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    permissions: {contents: read}
    steps:
    - uses: actions/checkout@v4
      with: {persist-credentials: false}
    - uses: actions/setup-python@v5
      with: {python-version: "3.13"}
    - run: make check test
