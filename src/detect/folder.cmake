# SPDX-License-Identifier: Apache-2.0
# The built-in rules are text, compiled in; installed too, to be read and tested.
file(GLOB rule_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/detect/rules/*.rules
  ${PROJECT_SOURCE_DIR}/src/detect/rules/attack.map)
iovm_embed(iovm_detect rule_texts detect/rule_files.h detect RuleText ${rule_files})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/detect/rules/ DESTINATION ${CMAKE_INSTALL_DATADIR}/iovm/rules
  FILES_MATCHING PATTERN "*.rules" PATTERN "attack.map" PATTERN "*.events")
