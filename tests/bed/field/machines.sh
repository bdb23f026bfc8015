# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The field lab's machines, and what is run on each. A run is MACHINE SEED WORK ATTACKS; its name is the
# machine's with the seed. Seeds 1 and 2 are normal boots, others have attackers.

machine_options() {  # machine
  local disks=$field_built
  case $1 in
    ahci) echo "-M q35 -vga std -nic user,model=e1000e
      -drive if=none,id=d0,file=$disks/first.img,format=raw,snapshot=on -device ide-hd,drive=d0,bus=ide.0
      -audiodev none,id=a -device ich9-intel-hda -device hda-duplex,audiodev=a
      -drive if=none,id=d1,file=$disks/second.img,format=raw,snapshot=on
      -device qemu-xhci -device usb-storage,drive=d1" ;;
    nvme) echo "-M q35 -vga none -netdev user,id=n0 -device virtio-net-pci,netdev=n0,disable-legacy=on
      -drive if=none,id=d0,file=$disks/first.img,format=raw,snapshot=on -device nvme,drive=d0,serial=1
      -drive if=none,id=d1,file=$disks/second.img,format=raw,snapshot=on -device virtio-scsi-pci -device scsi-hd,drive=d1
      -drive if=none,id=d2,file=$disks/first.img,format=raw,snapshot=on -device sdhci-pci -device sd-card,drive=d2" ;;
    scsi) echo "-M pc -vga cirrus -nic user,model=vmxnet3
      -drive if=none,id=d0,file=$disks/first.img,format=raw,snapshot=on -device lsi53c895a,id=lsi -device scsi-hd,drive=d0,bus=lsi.0
      -drive if=none,id=d1,file=$disks/second.img,format=raw,snapshot=on -device megasas,id=mega -device scsi-hd,drive=d1,bus=mega.0
      -audiodev none,id=a -device ES1370,audiodev=a" ;;
    *) return 1 ;;
  esac
}
