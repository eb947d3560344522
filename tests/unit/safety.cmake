# SPDX-License-Identifier: Apache-2.0
foreach(t hostile loop limits filter alloc)
  coolplane_unit_test(test_safety_${t} LINK coolplane_safety)
endforeach()
coolplane_unit_test(test_verify LINK coolplane_safety)
target_link_options(test_safety_alloc PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)

# The same hostile proposers with one of the two checkers compiled out: the other alone must hold.
foreach(half filter verify)
  set(safety_sources limits equipment interlock tighten filter verify fallback decision)
  list(TRANSFORM safety_sources PREPEND ${CMAKE_SOURCE_DIR}/safety/)
  list(TRANSFORM safety_sources APPEND .c)
  coolplane_unit_test(test_safety_skip_${half} SOURCES ${safety_sources} LINK coolplane_arx coolplane_num)
  string(TOUPPER SAFETY_TEST_SKIP_${half} skip)
  target_compile_definitions(test_safety_skip_${half} PRIVATE ${skip})
endforeach()
