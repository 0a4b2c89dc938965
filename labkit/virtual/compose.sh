# From root.tar in the current folder: disk.raw (of size $1), kernel, initrd, release.
# Run as root, or as root of a user namespace, for the archive's files have many owners.

mkdir root
tar -C root -xf root.tar --exclude='./dev/*'
rm root.tar
release=$(ls root/lib/modules)
depmod -b "$PWD/root" "$release"
cp -L "root/boot/vmlinuz-$release" kernel

mkdir -p first/bin first/dev first/proc first/root first/modules
cp root/bin/busybox first/bin/
cp init first/init
chmod 755 first/init
# The disk's own driver and file system, each after what it depends on. Kernels differ in
# which are built in (no line then) and in whether the modules are compressed.
for module in virtio_pci virtio_blk ext4; do
    modprobe -d "$PWD/root" -S "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
    name=$(basename "${file%.xz}")
    case $file in
    *.xz) xz -dc "$file" >"first/modules/$name" ;;
    *) cp "$file" "first/modules/$name" ;;
    esac
    echo "$name" >>first/modules/order
done
touch first/modules/order
(cd first && find . | cpio --quiet -o -H newc -R 0:0) >initrd

mke2fs -q -t ext4 -L system -d root disk.raw "$1"
rm -rf root first
echo "$release" >release
