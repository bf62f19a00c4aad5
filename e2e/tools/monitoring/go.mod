module taffrail.dev/e2e/tools/monitoring

go 1.26.0

// Its kinds alone are of interest: no code of it is built.
require github.com/prometheus-operator/prometheus-operator v0.85.0
