{{- define "etcd-cluster.name" -}}
{{- $name := default .Release.Name .Values.fullnameOverride -}}
{{- if gt (len $name) 40 -}}
{{- fail (printf "the name %s has more than 40 characters: set fullnameOverride" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "etcd-cluster.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "etcd-cluster.annotations" -}}
{{- $kept := dict -}}
{{- if .Values.keepOnUninstall -}}
{{- $kept = dict "helm.sh/resource-policy" "keep" -}}
{{- end -}}
{{- toYaml (merge $kept .Values.annotations) -}}
{{- end -}}
