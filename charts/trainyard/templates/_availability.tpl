{{/* How many pods there are, at least and at most: [root, component, model's name, fullname, values]. */}}
{{- define "trainyard.availability" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $model := index . 2 -}}
{{- $name := index . 3 -}}
{{- $values := index . 4 -}}
{{- $pods := ternary (int $values.autoscaling.minReplicas) (int $values.replicas) $values.autoscaling.enabled -}}
{{- /* With a single pod a budget would hold up every drain of its node. */}}
{{- if and $values.podDisruptionBudget.enabled (gt $pods 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels: {{- include "trainyard.labels" (list $root $component $model) | nindent 4 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  # A pod that is not ready serves nobody: it may go.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "trainyard.selector" (list $root $component $model) | nindent 6 }}
{{- end }}
{{- if $values.autoscaling.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels: {{- include "trainyard.labels" (list $root $component $model) | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $name }}}
  minReplicas: {{ $values.autoscaling.minReplicas }}
  maxReplicas: {{ $values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ $values.autoscaling.targetCPUUtilizationPercentage }}}
  behavior:
    scaleDown: {stabilizationWindowSeconds: 300}
{{- end }}
{{- end -}}
