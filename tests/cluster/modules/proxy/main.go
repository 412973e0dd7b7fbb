// Command proxy is what a mesh proxy looks like from outside, without carrying traffic: it fetches its configuration
// from istiod over ADS and shows it on the admin interface that Envoy has, on the loopback of its pod. With -files it
// serves recorded answers instead.
package main

import (
	"flag"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const adminAddress = "127.0.0.1:15000"

func main() {
	istiod := flag.String("istiod", "", "istiod's plain-text ADS address")
	files := flag.String("files", "", "directory of recorded answers, by path")
	kind := flag.String("type", "sidecar", "sidecar, router or waypoint")
	version := flag.String("version", "1.31.0", "Istio version to report")
	hold := flag.String("hold", "", "resource types that are never acknowledged, as cds,lds")
	refuse := flag.String("refuse", "", "resource types that are rejected")
	flag.Parse()
	if *files != "" {
		log.Fatal(http.ListenAndServe(adminAddress, recorded(*files)))
	}
	state := newState(node(*kind, *version))
	go state.follow(*istiod, set(*hold), set(*refuse))
	log.Fatal(http.ListenAndServe(adminAddress, state.handler()))
}

func set(words string) map[string]bool {
	found := map[string]bool{}
	for _, word := range strings.Split(words, ",") {
		found[word] = word != ""
	}
	return found
}

// recorded answers GET and POST alike with the file of that path; a file `path.401` is an answer of that status.
func recorded(directory string) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		name := directory + "/" + strings.ReplaceAll(request.URL.Path[1:], "/", "_")
		for _, status := range []int{http.StatusOK, http.StatusUnauthorized, http.StatusInternalServerError} {
			if status != http.StatusOK {
				name = strings.TrimSuffix(name, filepath.Ext(name)) + "." + strconv.Itoa(status)
			}
			if content, err := os.ReadFile(name); err == nil {
				answer.WriteHeader(status)
				answer.Write(content)
				return
			}
		}
		http.NotFound(answer, request)
	})
}
