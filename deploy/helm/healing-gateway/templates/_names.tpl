{{/* Names and blocks that the templates share. */}}

{{- define "healing.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "healing.labels" -}}
app.kubernetes.io/name: healing-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "healing.selector" -}}
app.kubernetes.io/name: healing-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "healing.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "healing.configMap" -}}
{{- if .Values.existingConfigMap -}}
{{ .Values.existingConfigMap }}
{{- else if .Values.config -}}
{{ include "healing.name" . }}-config
{{- else -}}
{{ fail "Give the configuration: --set-file config=healing_config.yaml, or existingConfigMap." }}
{{- end -}}
{{- end -}}

{{- define "healing.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "healing.name" .) }}
{{- end -}}

{{/* A pod that is nobody, may do nothing and writes nowhere but into its volumes. */}}
{{- define "healing.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "healing.containerSecurity" -}}
image: {{ include "healing.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Environment that every container has. */}}
{{- define "healing.env" -}}
- name: HEALING_CONFIG
  value: /etc/healing/healing_config.yaml
- name: HEALING_STATE_DIR
  value: /var/lib/healing
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "healing.mounts" -}}
- {name: config, mountPath: /etc/healing, readOnly: true}
- {name: state, mountPath: /var/lib/healing}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "healing.volumes" -}}
- name: config
  configMap: {name: {{ include "healing.configMap" . }}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- end -}}
