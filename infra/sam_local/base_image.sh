#!/bin/sh
# Makes an image that `sam local` takes for Lambda's own, where that cannot be pulled: a shell, this machine's Python
# 3.13 and what it links, the runtime client and boto3. It differs from Lambda's in its glibc and in running as root.
#
#     PYTHON=/path/to/python3.13 PIP="python3 -m pip" REQUIREMENTS=infra/local/requirements.txt TAG=name:tag sh base_image.sh
set -eu

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
busybox=$(command -v busybox) || { echo "busybox is missing: install the package busybox-static" >&2; exit 1; }
prefix=$("$PYTHON" -c 'import sys; print(sys.base_prefix)')
binary=$("$PYTHON" -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
machine=$(uname -m)

mkdir -p "$root"/bin "$root"/tmp "$root"/etc/ssl/certs "$root"/opt "$root"/var/task "$root"/var/runtime "$root"/var/lang/bin \
    "$root"/var/lang/lib "$root"/var/rapid "$root"/usr/bin "$root"/root "$root"/proc "$root"/sys "$root"/dev
chmod 755 "$root"
chmod 1777 "$root/tmp"

cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
done
ln -sf /bin/busybox "$root/usr/bin/env"

cp "$binary" "$root/var/lang/bin/python3.13"
ln -sf python3.13 "$root/var/lang/bin/python3"
(cd "$prefix/lib" && tar cf - --exclude='*/test' --exclude='*/tests' --exclude='config-3*' --exclude=idlelib --exclude=tkinter \
    --exclude=turtledemo --exclude=ensurepip --exclude=site-packages --exclude='*.opt-*.pyc' --exclude='*.a' python3.13) |
    tar xf - -C "$root/var/lang/lib"
mkdir -p "$root/var/lang/lib/python3.13/site-packages"

# What all that links, and what wheels expect from the system besides.
{
    for linked in "$busybox" "$binary" "$root"/var/lang/lib/python3.13/lib-dynload/*.so; do
        ldd "$linked" 2>/dev/null || true
    done | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }' | grep -v ':$'
    for library in libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1 libm.so.6 libanl.so.1 libnss_dns.so.2 libnss_files.so.2 \
        libresolv.so.2 libgcc_s.so.1 libstdc++.so.6 libz.so.1; do
        ldconfig -p | awk -v library="$library" '$1 == library { print $NF; exit }'
    done
} | sort -u | while read -r file; do
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
done

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2>/dev/null || true
printf 'root:x:0:0:root:/root:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\n' > "$root/etc/group"
printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"

$PIP install -q --disable-pip-version-check --no-compile --target "$root/var/runtime" --implementation cp --python-version 3.13 \
    --platform "manylinux_2_34_$machine" --platform "manylinux_2_28_$machine" --platform "manylinux2014_$machine" \
    --only-binary=:all: $(grep -E '^(awslambdaric|boto3)==' "$REQUIREMENTS")
cat > "$root/var/runtime/bootstrap" <<'BOOTSTRAP'
#!/bin/sh
export AWS_EXECUTION_ENV=AWS_Lambda_python3.13
export PYTHONPATH=/var/task:/opt/python/lib/python3.13/site-packages:/opt/python:/var/runtime
exec /var/lang/bin/python3.13 -m awslambdaric "$_HANDLER"
BOOTSTRAP
chmod 755 "$root/var/runtime/bootstrap"
"$PYTHON" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$root" "$root/var/runtime"

tar cf - -C "$root" . | docker import \
    -c 'ENV PATH=/var/lang/bin:/usr/bin:/bin LANG=en_US.UTF-8 LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    -c 'WORKDIR /var/task' - "$TAG" > /dev/null
