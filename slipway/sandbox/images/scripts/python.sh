# The public image keeps its own Python under /usr/local; here the same commands lead to Debian's.
for name in python python3 python3.11; do ln -sf /usr/bin/python3.11 "/usr/local/bin/$name"; done
for name in pip pip3 pip3.11; do ln -sf /usr/bin/pip3 "/usr/local/bin/$name"; done
# In the public image pip installs into the system's Python; Debian's mark would refuse.
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
find / -xdev -name __pycache__ -type d -prune -exec rm -rf {} +
