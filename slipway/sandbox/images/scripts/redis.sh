# As the public image: data in /data, no protected mode, and the server drops root by itself.
mkdir -p /data
chown redis:redis /data
cat > /usr/local/bin/docker-entrypoint.sh <<'ENTRY'
#!/bin/sh
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi
if [ "$1" = redis-server ]; then
    set -- "$@" --protected-mode no
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        exec setpriv --reuid=redis --regid=redis --init-groups "$@"
    fi
fi
exec "$@"
ENTRY
chmod 755 /usr/local/bin/docker-entrypoint.sh
