//go:build tools

// Package tools keeps in go.mod what is built by its own import path.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
