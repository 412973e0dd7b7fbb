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
    - uses: actions/setup-go@v5
      with: {go-version-file: go.mod}
    - run: make check test
