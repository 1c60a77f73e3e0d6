mkdir -p /out/bin /out/etc /out/root /out/tmp /out/var/spool/mail /out/usr/bin /out/home
chmod 1777 /out/tmp
cp /bin/busybox /out/bin/busybox
for applet in $(/bin/busybox --list); do [ "$applet" = busybox ] || ln -sf busybox "/out/bin/$applet"; done
ln -sf /bin/env /out/usr/bin/env
printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n' > /out/etc/passwd
printf 'root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n' > /out/etc/group
