// Command coredns is CoreDNS with the plugins that the tests' Corefile names, and no other: a full one compiles the
// clients of three clouds and takes three times as long.
package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() {
	coremain.Run()
}
