{{- define "sluice.speaker" -}}
name: speaker
image: {{ .image }}
args: [speaker, --socket=/run/sluice/speaker.sock]
securityContext:
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsUser: 0
  seccompProfile: { type: RuntimeDefault }
  capabilities:
    drop: [ALL]
    add: [NET_ADMIN, NET_BIND_SERVICE]
resources:
  requests: { cpu: 50m, memory: 96Mi }
volumeMounts:
  - { name: run, mountPath: /run/sluice }
{{- end }}
