{{- define "porchlight.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "porchlight.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "porchlight.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "porchlight.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "porchlight.selectorLabels" -}}
app.kubernetes.io/name: {{ include "porchlight.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: node
{{- end }}

{{- define "porchlight.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "porchlight.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "porchlight.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "porchlight.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The pods of the chart's own NATS, with this prefix and at this port, separated by commas. Their names are their chart's. */}}
{{- define "porchlight.natsPods" -}}
{{- $name := include "nats.fullname" .root.Subcharts.nats }}
{{- $pods := list }}
{{- range $i := until (int .root.Values.nats.config.cluster.replicas) }}
{{- $pods = append $pods (printf "%s%s-%d.%s-headless:%d" $.before $name $i $name (int $.port)) }}
{{- end }}
{{- join "," $pods }}
{{- end }}

{{/* The log URL, from `log` of the values; the files that it names are mounted by the Deployment. */}}
{{- define "porchlight.logUrl" -}}
{{- $servers := join "," .Values.log.servers }}
{{- $monitoring := join "," .Values.log.monitoring }}
{{- if .Values.nats.enabled }}
{{- if not $servers }}
{{- $servers = include "porchlight.natsPods" (dict "root" . "before" "" "port" 4222) }}
{{- end }}
{{- if and (not $monitoring) .Values.nats.config.monitor.enabled }}
{{- $monitoring = include "porchlight.natsPods" (dict "root" . "before" "http://" "port" .Values.nats.config.monitor.port) }}
{{- end }}
{{- end }}
{{- if not $servers }}
{{- fail "nats.enabled is false: name the servers of your NATS in log.servers, or a Secret with the log URL in log.existingSecret" }}
{{- end }}
{{- with .Values.log }}
{{- $parameters := list (printf "replicas=%d" (int .replicas)) (printf "cells=%d" (int .cells)) (printf "prefix=%s" .prefix) }}
{{- if .credentials.existingSecret }}
{{- $parameters = append $parameters (printf "credentials=/etc/porchlight/nats-credentials/%s" .credentials.key) }}
{{- end }}
{{- if .tls.enabled }}
{{- $parameters = append $parameters "tls=true" }}
{{- if .tls.caSecret }}
{{- $parameters = append $parameters "ca=/etc/porchlight/nats-ca/ca.crt" }}
{{- end }}
{{- if .tls.clientSecret }}
{{- $parameters = concat $parameters (list "certificate=/etc/porchlight/nats-client/tls.crt" "key=/etc/porchlight/nats-client/tls.key") }}
{{- end }}
{{- end }}
{{- if $monitoring }}
{{- $parameters = append $parameters (printf "monitoring=%s" $monitoring) }}
{{- end }}
{{- printf "jetstream://%s/?%s" $servers (join "&" $parameters) }}
{{- end }}
{{- end }}
