{{/* Names and labels. */}}

{{- define "trainyard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* A model's name and a component must fit behind it. It is not cut off: two releases could get one name. */}}
{{- define "trainyard.fullname" -}}
{{- $name := printf "%s-%s" .Release.Name (include "trainyard.name" .) -}}
{{- if contains (include "trainyard.name" .) .Release.Name -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- $name = default $name .Values.fullnameOverride -}}
{{- if gt (len $name) 24 -}}
{{- fail (printf "%s is longer than 24 characters, which is what is left beside a model's name; give fullnameOverride" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "trainyard.serverName" -}}
{{ include "trainyard.fullname" . }}-server
{{- end -}}

{{/* What pods are selected by: [root, component, model's name or ""]. */}}
{{- define "trainyard.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "trainyard.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- with index . 2 }}
trainyard/model: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of an object: as above. */}}
{{- define "trainyard.labels" -}}
{{- $root := index . 0 -}}
{{ include "trainyard.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- range $key, $value := $root.Values.commonLabels }}
{{ $key | quote }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "trainyard.image" -}}
{{- $image := .Values.image -}}
{{- $repository := required "image.repository: say where you push the image, such as registry.example.com/trainyard" $image.repository -}}
{{- $tag := default .Chart.AppVersion $image.tag -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest | quote -}}
{{- else if eq $tag "latest" -}}
{{- fail "image.tag: latest names no version; give one, or image.digest" -}}
{{- else -}}
{{- printf "%s:%s" $repository $tag | quote -}}
{{- end -}}
{{- end -}}

{{- define "trainyard.serverAccount" -}}
{{- $account := .Values.server.serviceAccount -}}
{{- if $account.name }}{{ $account.name }}{{ else if $account.create }}{{ include "trainyard.serverName" . }}{{ else }}default{{ end -}}
{{- end -}}

{{- define "trainyard.serveAccount" -}}
{{- $account := .Values.serveServiceAccount -}}
{{- if $account.name }}{{ $account.name }}{{ else if $account.create }}{{ include "trainyard.fullname" . }}-serve{{ else }}default{{ end -}}
{{- end -}}

{{/* A model of the list with all keys of `serve` that it does not have itself: [root, model], as JSON. */}}
{{- define "trainyard.model" -}}
{{- $root := index . 0 -}}
{{- $model := mergeOverwrite (deepCopy $root.Values.serve) (deepCopy (index . 1)) -}}
{{- if not (or $model.model $model.uri) -}}
{{- fail (printf "models: %s has neither `model` nor `uri`" $model.name) -}}
{{- end -}}
{{- if and $model.model $model.uri -}}
{{- fail (printf "models: %s has both `model` and `uri`" $model.name) -}}
{{- end -}}
{{- if not $model.uri -}}
{{- $_ := set $model "uri" (printf "models:/%s@%s" $model.model $model.alias) -}}
{{- end -}}
{{- $_ := set $model "fullname" (printf "%s-serve-%s" (include "trainyard.fullname" $root) $model.name) -}}
{{- $log := $model.predictionLog -}}
{{- if and $log.uri $log.existingClaim -}}
{{- fail (printf "models: %s: predictionLog has both `uri` and `existingClaim`" $model.name) -}}
{{- end -}}
{{- $_ := set $model "log" "" -}}
{{- if $log.uri -}}{{- $_ := set $model "log" (printf "%s/%s" (trimSuffix "/" $log.uri) $model.name) -}}
{{- else if $log.existingClaim -}}{{- $_ := set $model "log" (printf "/log/%s" $model.name) -}}
{{- end -}}
{{- toJson $model -}}
{{- end -}}
