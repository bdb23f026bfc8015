// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detect/alert.h"
#include "detect/render.h"

namespace iovm::detect {
namespace {

using testing::HasSubstr;

Excess much_work(model::Whose whose, trace::ProcessKind actor) {
  Excess excess;
  excess.whose = whose;
  excess.amount = 4824;
  excess.usual = 575;
  excess.duration_ns = 35'200'000'000;
  excess.actor = actor;
  return excess;
}

TEST(AlertTextTest, WhoseWorkThereWasTooMuchOfIsSaid) {
  using model::Whose;
  using trace::ProcessKind;
  EXPECT_EQ(describe(much_work(Whose::actor, ProcessKind::user)),
            "4824 accesses within 35.2 s, by one process; training's busiest minutes had 575");
  EXPECT_THAT(describe(much_work(Whose::actor, ProcessKind::unknown)), HasSubstr("one process;"));
  EXPECT_THAT(describe(much_work(Whose::actor, ProcessKind::kernel_thread)),
              HasSubstr("35.2 s, by one kernel thread;"));
  EXPECT_THAT(describe(much_work(Whose::actor, ProcessKind::interrupt)),
              HasSubstr("35.2 s, by interrupts;"));
  EXPECT_THAT(describe(much_work(Whose::device, ProcessKind::interrupt)),
              HasSubstr("within 35.2 s; training's"));
}

TEST(AlertTextTest, InterruptsAreNoProcess) {
  Alert alert;
  alert.actors.resize(2);
  alert.actors[0].info.comm = "hardirq";
  alert.actors[0].info.kind = trace::ProcessKind::interrupt;
  alert.actors[1].info.comm = "evil";
  alert.actors[1].info.pid = 266;
  EXPECT_THAT(alert_text(alert), HasSubstr(", by interrupt hardirq, evil (266)"));
}

}  // namespace
}  // namespace iovm::detect
