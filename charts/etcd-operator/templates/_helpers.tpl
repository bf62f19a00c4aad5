{{- define "etcd-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "etcd-operator.fullname" -}}
{{- $name := include "etcd-operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "etcd-operator.selector" -}}
app.kubernetes.io/name: {{ include "etcd-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "etcd-operator.labels" -}}
{{ include "etcd-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: taffrail
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "etcd-operator.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "etcd-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "etcd-operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "yes" if monitors and rules are wanted. */}}
{{- define "etcd-operator.monitored" -}}
{{- $wanted := .Values.monitoring.enabled | toString -}}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
yes
{{- end -}}
{{- end -}}

{{- define "etcd-operator.dashboards" -}}
{{- $wanted := .Values.monitoring.dashboards.enabled | toString -}}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") (include "etcd-operator.monitored" .)) -}}
yes
{{- end -}}
{{- end -}}

{{/* Where members are: all namespaces, or those that are watched. */}}
{{- define "etcd-operator.memberNamespaces" -}}
{{- if .Values.watchNamespaces -}}
matchNames:
{{ toYaml .Values.watchNamespaces | indent 2 }}
{{- else -}}
any: true
{{- end -}}
{{- end -}}

{{/* Of one endpoint of a monitor. */}}
{{- define "etcd-operator.scrape" -}}
port: metrics
path: /metrics
{{- with .Values.monitoring.interval }}
interval: {{ . }}
{{- end }}
{{- with .Values.monitoring.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- end -}}

{{/* etcd's dashboards tell clusters apart by `job`, its alerts find them by `etcd` in it; the operator's metrics say
`cluster`. */}}
{{- define "etcd-operator.memberRelabelings" -}}
- sourceLabels: [__meta_kubernetes_{{ .kind }}_label_etcd_taffrail_dev_cluster]
  targetLabel: cluster
- sourceLabels: [__meta_kubernetes_namespace, __meta_kubernetes_{{ .kind }}_label_etcd_taffrail_dev_cluster]
  separator: /
  regex: (.+)
  targetLabel: job
  replacement: etcd/$1
{{- end -}}
