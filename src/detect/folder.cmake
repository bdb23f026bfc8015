# SPDX-License-Identifier: Apache-2.0
# The built-in rules are text, compiled in; installed too, to be read and tested.
file(GLOB rule_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/detect/rules/*.rules
  ${PROJECT_SOURCE_DIR}/src/detect/rules/attack.map)
set(rule_texts ${CMAKE_CURRENT_BINARY_DIR}/rule_texts.cc)
add_custom_command(OUTPUT ${rule_texts}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${rule_texts} "-DFILES=${rule_files}"
          -DHEADER=detect/rule_files.h -DNAMESPACE=detect -DTYPE=RuleText -DFUNCTION=rule_texts
          -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${rule_files} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
target_sources(iovm_detect PRIVATE ${rule_texts})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/detect/rules/ DESTINATION ${CMAKE_INSTALL_DATADIR}/iovm/rules
  FILES_MATCHING PATTERN "*.rules" PATTERN "attack.map" PATTERN "*.events")
