# SPDX-License-Identifier: Apache-2.0
foreach(t hostile loop limits envelope interlock filter filter_readings filter_terminal filter_rooms create fallback rollout tighten
          project alloc beyond clamp equipment units floors nearest recheck)
  coolplane_unit_test(test_safety_${t} LINK coolplane_safety)
endforeach()
coolplane_unit_test(test_verify LINK coolplane_safety)
coolplane_unit_test(test_verify_units LINK coolplane_safety)
coolplane_unit_test(test_ladder LINK coolplane_safety)
target_compile_definitions(test_ladder PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
target_link_options(test_safety_limits PRIVATE -Wl,--wrap=arx_predict_work)
target_link_options(test_safety_nearest PRIVATE -Wl,--wrap=arx_rollout_step)
target_link_options(test_safety_tighten PRIVATE -Wl,--wrap=arx_rollout_step,--wrap=arx_worst)
target_link_options(test_safety_project PRIVATE -Wl,--wrap=arx_rollout_slopes)
target_link_options(test_safety_alloc PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)

# The same hostile proposers with one of the two checkers taken out by the linker: the other alone must hold.
foreach(half filter verify)
  coolplane_unit_test(test_safety_skip_${half} LINK coolplane_safety)
  target_link_options(test_safety_skip_${half} PRIVATE -Wl,--wrap=verify_action)
endforeach()
coolplane_unit_test(test_gate_beyond LINK coolplane_gate coolplane_drivers)
target_compile_definitions(test_gate_beyond PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
