// The program of the test's pods: no dependency.
module slipway/probe

go 1.24.0
