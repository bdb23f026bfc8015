// SPDX-License-Identifier: Apache-2.0
#include "record/qmp_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iovm::record {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

QmpSockets of(std::vector<std::string> words) {
  words.insert(words.begin(), "qemu-system-x86_64");
  return qmp_sockets(words);
}

TEST(QmpSocketsTest, AQmpOptionNamesItsSocket) {
  EXPECT_THAT(of({"-qmp", "unix:/run/a,server=on,wait=off"}).paths, ElementsAre("/run/a"));
  EXPECT_THAT(of({"--qmp", "unix:/run/a,server,nowait"}).paths, ElementsAre("/run/a"));
  EXPECT_THAT(of({"-qmp-pretty", "unix:path=a.sock,server=on"}).paths, ElementsAre("a.sock"));
  EXPECT_THAT(of({"-qmp", "unix:/run/a,,b,server=on"}).paths, ElementsAre("/run/a,b"));
}

TEST(QmpSocketsTest, AControlMonitorIsOnItsChardev) {
  EXPECT_THAT(of({"-mon", "chardev=m,mode=control", "-chardev",
                  "socket,id=m,path=/run/m,server=on,wait=off"})
                  .paths,
              ElementsAre("/run/m"));
  EXPECT_THAT(of({"-chardev", "socket,id=m,path=/run/m,server=on", "-mon", "m,mode=control"}).paths,
              ElementsAre("/run/m"));
}

TEST(QmpSocketsTest, WhatIsNotQmpAtASocketThatQemuListensAtIsNone) {
  EXPECT_THAT(of({"-monitor", "unix:/run/a,server=on,wait=off"}).paths, IsEmpty());
  EXPECT_THAT(of({"-qmp", "unix:/run/a"}).paths, IsEmpty());
  EXPECT_THAT(of({"-qmp", "unix:/run/a,server=off"}).paths, IsEmpty());
  EXPECT_THAT(of({"-qmp", "unix:a,server=on,abstract=on"}).paths, IsEmpty());
  EXPECT_THAT(of({"-qmp", "tcp:localhost:4444,server=on"}).paths, IsEmpty());
  EXPECT_THAT(of({"-qmp", "stdio"}).paths, IsEmpty());
  EXPECT_THAT(of({"-qmp"}).paths, IsEmpty());
  EXPECT_THAT(
      of({"-mon", "chardev=m,mode=readline", "-chardev", "socket,id=m,path=/m,server=on"}).paths,
      IsEmpty());
  EXPECT_THAT(of({"-chardev", "socket,id=serial,path=/run/s,server=on"}).paths, IsEmpty());
  EXPECT_THAT(of({"-mon", "chardev=nobody,mode=control"}).paths, IsEmpty());
}

TEST(QmpSocketsTest, LibvirtsOwnMonitorIsLeftToLibvirt) {
  QmpSockets found =
      of({"-chardev", "socket,id=charmonitor,path=/var/lib/libvirt/q,server=on,wait=off", "-mon",
          "chardev=charmonitor,id=monitor,mode=control"});
  EXPECT_THAT(found.paths, IsEmpty());
  EXPECT_TRUE(found.libvirt);
  EXPECT_TRUE(of({"-chardev", "socket,id=charmonitor,fd=23,server=on,wait=off"}).libvirt);
  EXPECT_FALSE(of({"-chardev", "socket,id=mine,fd=23,server=on,wait=off"}).libvirt);
}

TEST(QmpSocketsTest, NoMoreThanAFewAreTried) {
  std::vector<std::string> words;
  for (int i = 0; i < 100; ++i) {
    words.push_back("-qmp");
    words.push_back("unix:/run/a,server=on");
  }
  EXPECT_THAT(of(words).paths, SizeIs(kMostQmpSockets));
}

}  // namespace
}  // namespace iovm::record
