// The sandbox image of the pods: no dependency.
module slipway/pause

go 1.24.0
