omit-lockfile-registry-resolved=true
fund=false
audit=false
update-notifier=false
