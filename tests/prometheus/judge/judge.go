// Prometheus' own parser as the judge of ours: what is an expression, by default and with every experimental feature.
//
// It reads a JSON list of expressions and writes a list of verdicts. With -cases it writes the inputs of upstream's
// parser tests instead, read from their source: the module cache holds it, so this repository need not copy it.
package main

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"os"
	"strconv"

	promql "github.com/prometheus/prometheus/promql/parser"
)

type verdict struct {
	Stable       bool   `json:"stable"`       // valid without any feature flag
	Experimental bool   `json:"experimental"` // valid with all of them
	Error        string `json:"error,omitempty"`
}

func main() {
	cases := flag.String("cases", "", "path of upstream's parse_test.go")
	flag.Parse()
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	var err error
	if *cases != "" {
		err = out.Encode(inputs(*cases))
	} else {
		err = out.Encode(verdicts())
	}
	if err != nil {
		log.Fatal(err)
	}
}

func verdicts() []verdict {
	var expressions []string
	if err := json.NewDecoder(os.Stdin).Decode(&expressions); err != nil {
		log.Fatal(err)
	}
	stable := promql.NewParser(promql.Options{})
	experimental := promql.NewParser(promql.Options{
		EnableExperimentalFunctions:  true,
		ExperimentalDurationExpr:     true,
		EnableExtendedRangeSelectors: true,
		EnableBinopFillModifiers:     true,
	})
	found := make([]verdict, 0, len(expressions))
	for _, expression := range expressions {
		_, refused := stable.ParseExpr(expression)
		_, err := experimental.ParseExpr(expression)
		one := verdict{Stable: refused == nil, Experimental: err == nil}
		if err != nil {
			one.Error = err.Error()
		}
		found = append(found, one)
	}
	return found
}

// inputs returns the `input:` of every element of `var testExpr`.
func inputs(path string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		log.Fatal(err)
	}
	var found []string
	for _, declared := range file.Scope.Objects["testExpr"].Decl.(*ast.ValueSpec).Values {
		for _, element := range declared.(*ast.CompositeLit).Elts {
			for _, field := range element.(*ast.CompositeLit).Elts {
				pair := field.(*ast.KeyValueExpr)
				if pair.Key.(*ast.Ident).Name != "input" {
					continue
				}
				// Two inputs are computed from the bounds of int64; the Python test writes them out.
				if literal, ok := pair.Value.(*ast.BasicLit); ok {
					found = append(found, text(literal))
				}
			}
		}
	}
	return found
}

func text(literal *ast.BasicLit) string {
	unquoted, err := strconv.Unquote(literal.Value)
	if err != nil {
		log.Fatal(err)
	}
	return unquoted
}
