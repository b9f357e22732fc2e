{{/* What the public may ask of a model server, as its gateway has it: predictions, explanations, documentation and health. */}}
{{- define "trainyard.publicPaths" -}}
{{- $paths := list -}}
{{- range list "predict" "invocations" "explain" "docs" "openapi.json" "health" "ping" "version" -}}
{{- $paths = append $paths (dict "type" "Exact" "path" (printf "/models/%s/%s" $ .)) -}}
{{- end -}}
{{- $paths = append $paths (dict "type" "Prefix" "path" (printf "/v2/models/%s" .)) -}}
{{- toJson $paths -}}
{{- end -}}

{{/* Whether the server may be put on the internet. */}}
{{- define "trainyard.checkExposed" -}}
{{- if and .Values.expose.serverHost (not .Values.server.auth.existingSecret) (not .Values.expose.allowAnonymousServer) -}}
{{- fail "expose.serverHost: the server asks nobody for a password; give server.auth.existingSecret (or expose.allowAnonymousServer=true)" -}}
{{- end -}}
{{- end -}}
