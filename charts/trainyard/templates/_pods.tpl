{{/* What all pods have in common. */}}

{{/* Of the pod. */}}
{{- define "trainyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.user.runAsUser }}
runAsGroup: {{ .Values.user.runAsGroup }}
fsGroup: {{ .Values.user.fsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* Of the container. */}}
{{- define "trainyard.containerSecurity" -}}
runAsNonRoot: true
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "trainyard.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where pods run: [root, component, model's name, values]. Spread over hosts and zones as far as there are some. */}}
{{- define "trainyard.placement" -}}
{{- $root := index . 0 -}}
{{- $values := index . 3 -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "trainyard.selector" (list $root (index $ 1) (index $ 2)) | nindent 8 }}
    # Those of the version before do not count while it is replaced.
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- include "trainyard.choices" $values }}
{{- end -}}

{{- define "trainyard.choices" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $ $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* [port, path below which it answers, whether it speaks TLS] */}}
{{- define "trainyard.probes" -}}
{{- $get := dict "port" "http" "scheme" (ternary "HTTPS" "HTTP" (index . 1)) -}}
{{- $prefix := index . 0 -}}
# Alive means that the process answers, whatever its database or registry does: to start it again helps neither.
livenessProbe:
  httpGet: {{ toJson (merge (dict "path" (printf "%s/livez" $prefix)) $get) }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {{ toJson (merge (dict "path" (printf "%s/health" $prefix)) $get) }}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* A pod that is told to end still gets requests for a while: it answers them. The image has no shell to sleep in. */}}
{{- define "trainyard.drain" -}}
{{- if gt (int .) 0 }}
lifecycle:
  preStop:
    sleep: {seconds: {{ int . }}}
{{- end }}
{{- end -}}

{{/* Variables as they were given. What looks like a secret must not be a value: it would be in the release and in `kubectl describe`. */}}
{{- define "trainyard.env" -}}
{{- range . }}
{{- $is_secret := regexMatch "(?i)(password|passwd|secret|token|credential|connection_string|_key$|access_key|api_?key)" .name -}}
{{- $is_place := regexMatch "(?i)(_file|_path|_dir|_key_id)$" .name -}}
{{- if and $is_secret (not $is_place) .value -}}
{{- fail (printf "env: %s looks like a secret; give it by valueFrom.secretKeyRef" .name) -}}
{{- end -}}
{{- $_ := include "trainyard.withoutPassword" (list (printf "env: %s" .name) (default "" .value)) }}
- {{ toJson . }}
{{- end }}
{{- end -}}

{{/* A text that stands in the manifest, unless it is a URL with a password: [what, text]. */}}
{{- define "trainyard.withoutPassword" -}}
{{- if regexMatch "://[^/@\\s]*:[^/@\\s]*@" (toString (index . 1)) -}}
{{- fail (printf "%s holds a password, which everybody could read in the manifest; name a Secret" (index . 0)) -}}
{{- end -}}
{{- index . 1 -}}
{{- end -}}

{{/* Arguments, as they are: [whose, ours, the user's]. */}}
{{- define "trainyard.args" -}}
{{- $whose := index . 0 -}}
{{- range concat (index . 1) (index . 2) -}}
{{- $_ := include "trainyard.withoutPassword" (list (printf "%s: an argument" $whose) .) -}}
{{- end -}}
{{- concat (index . 1) (index . 2) | toJson -}}
{{- end -}}

{{/* A variable out of a Secret: [variable, secret, key]. */}}
{{- define "trainyard.secretVariable" -}}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 | quote }}, key: {{ index . 2 | quote }}}}
{{- end -}}

{{/* Keys and place of a bucket. */}}
{{- define "trainyard.bucket" -}}
{{- if .existingSecret }}
{{ include "trainyard.secretVariable" (list "AWS_ACCESS_KEY_ID" .existingSecret .accessKeyIdKey) }}
{{ include "trainyard.secretVariable" (list "AWS_SECRET_ACCESS_KEY" .existingSecret .secretAccessKeyKey) }}
{{- end }}
{{- with .endpoint }}
- {name: MLFLOW_S3_ENDPOINT_URL, value: {{ quote . }}}
{{- end }}
{{- with .region }}
- {name: AWS_REGION, value: {{ quote . }}}
{{- end }}
{{- end -}}

{{/* How a model server or monitor finds the registry and signs in. */}}
{{- define "trainyard.tracking" -}}
{{- $tracking := .Values.tracking -}}
{{- $scheme := ternary "https" "http" (ne .Values.server.tls.existingSecret "") -}}
{{- $own := printf "%s://%s.%s.svc:%v%s" $scheme (include "trainyard.serverName" .) .Release.Namespace .Values.server.service.port .Values.server.staticPrefix -}}
{{- if not (or $tracking.uri .Values.server.enabled) -}}
{{- fail "tracking.uri: there is no server in this release, so say which one models come from" -}}
{{- end -}}
{{- if and .Values.server.auth.existingSecret (not $tracking.uri) (not $tracking.existingSecret) -}}
{{- fail "tracking.existingSecret: the server asks for passwords (server.auth), so say with which ones models are fetched" -}}
{{- end -}}
- {name: MLFLOW_TRACKING_URI, value: {{ include "trainyard.withoutPassword" (list "tracking.uri" (default $own $tracking.uri)) | quote }}}
{{- if $tracking.ca.existingSecret }}
- {name: MLFLOW_TRACKING_SERVER_CERT_PATH, value: /etc/trainyard/ca/ca}
{{- end }}
{{- if $tracking.existingSecret }}
{{- if not (or $tracking.tokenKey (and $tracking.usernameKey $tracking.passwordKey)) -}}
{{- fail "tracking: existingSecret needs tokenKey, or usernameKey and passwordKey" -}}
{{- end }}
{{- range $variable, $key := dict "MLFLOW_TRACKING_TOKEN" $tracking.tokenKey "MLFLOW_TRACKING_USERNAME" $tracking.usernameKey "MLFLOW_TRACKING_PASSWORD" $tracking.passwordKey }}
{{- if $key }}
{{ include "trainyard.secretVariable" (list $variable $tracking.existingSecret $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "trainyard.caMount" -}}
{{- if .Values.tracking.ca.existingSecret }}
- {name: ca, mountPath: /etc/trainyard/ca, readOnly: true}
{{- end }}
{{- end -}}

{{- define "trainyard.caVolume" -}}
{{- with .Values.tracking.ca }}
{{- if .existingSecret }}
{{ include "trainyard.secretVolume" (list "ca" .existingSecret .key) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A folder of the pod's own, which goes with it: [name, size]. */}}
{{- define "trainyard.folder" -}}
- name: {{ index . 0 }}
  emptyDir: {sizeLimit: {{ index . 1 | quote }}}
{{- end -}}

{{/* A Secret as files: [name, secret, files or nil]. Owner and group may read it, nobody else. */}}
{{- define "trainyard.secretVolume" -}}
- name: {{ index . 0 }}
  secret:
    secretName: {{ index . 1 | quote }}
    defaultMode: 0440
    {{- with index . 2 }}
    items: [{key: {{ quote . }}, path: {{ index $ 0 }}}]
    {{- end }}
{{- end -}}
