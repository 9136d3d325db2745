# SPDX-License-Identifier: Apache-2.0
# Write the table of Windows time zone ids and IANA names as a C header (part of the build; see bridge/formats/timezone.c).
#
#   cmake -DCLDR=/usr/share/unicode/cldr/common -DTZDATA=/usr/share/zoneinfo -DOUT=timezone_table.h -P scripts/zone-table.cmake
#
# From Unicode CLDR: supplemental/windowsZones.xml (territory 001 is the zone that an id stands for, the others are zones
# that have the id, too) and bcp47/timezone.xml (aliases). From tzdata, where it is there: what a zone is called today
# (CLDR keeps the name it had first: Asia/Calcutta), and links that CLDR does not know.

# Ids that Windows had once, and servers still have.
set(OBSOLETE
    "Mid-Atlantic Standard Time=Etc/GMT+2"
    "Kamchatka Standard Time=Asia/Kamchatka"
    "Armenian Standard Time=Asia/Yerevan"
    "Mexico Standard Time=America/Mexico_City"
    "Mexico Standard Time 2=America/Chihuahua")

file(STRINGS ${CLDR}/supplemental/windowsZones.xml ROWS REGEX "<mapZone ")
file(STRINGS ${CLDR}/bcp47/timezone.xml ALIASES REGEX "<type .*alias=")
foreach(name zone.tab tzdata.zi)
    set(${name} "")
    if(EXISTS ${TZDATA}/${name})
        file(STRINGS ${TZDATA}/${name} ${name})
    endif()
endforeach()

# CURRENT_<zone>: a name that tzdata lists; TARGET_<zone>: what a link stands for.
foreach(line IN LISTS zone.tab)
    if(line MATCHES "^[A-Z][A-Z]\t[^\t]*\t([^\t]+)")
        set(CURRENT_${CMAKE_MATCH_1} TRUE)
    endif()
endforeach()
set(LINKED "")
foreach(line IN LISTS tzdata.zi)
    if(line MATCHES "^L ([^ ]+) ([^ ]+)$")
        set(TARGET_${CMAKE_MATCH_2} ${CMAKE_MATCH_1})
        list(APPEND LINKED ${CMAKE_MATCH_2})
    endif()
endforeach()

function(current zone aliases result)
    set(${result} ${zone} PARENT_SCOPE)
    if(DEFINED CURRENT_${zone})
        return()
    endif()
    foreach(other IN LISTS aliases TARGET_${zone})
        if(DEFINED CURRENT_${other})
            set(${result} ${other} PARENT_SCOPE)
        endif()
    endforeach()
endfunction()

# GROUP_<zone>: its aliases, by CLDR.
set(GROUPS "")
foreach(line IN LISTS ALIASES)
    if(line MATCHES " alias=\"([^\"]+)\"")
        string(REPLACE " " ";" group "${CMAKE_MATCH_1}")
        list(GET group 0 first)
        list(APPEND GROUPS ${first})
        set(GROUP_${first} ${group})
    endif()
endforeach()

set(IDS "")
set(ZONES "") # in order; ID_<zone> is the index of its id
foreach(row IN LISTS ROWS)
    if(NOT row MATCHES "other=\"([^\"]+)\" territory=\"([^\"]+)\" type=\"([^\"]+)\"")
        message(FATAL_ERROR "not understood: ${row}")
    endif()
    set(id "${CMAKE_MATCH_1}")
    set(territory ${CMAKE_MATCH_2})
    string(REPLACE " " ";" zones "${CMAKE_MATCH_3}")
    if(territory STREQUAL "001")
        list(APPEND IDS "${id}")
        current(${zones} "${GROUP_${zones}}" now)
        string(APPEND WINDOWS "    {\"${id}\", \"${now}\"},\n")
    endif()
    list(FIND IDS "${id}" index)
    foreach(zone IN LISTS zones)
        if(NOT DEFINED ID_${zone})
            set(ID_${zone} ${index})
            list(APPEND ZONES ${zone})
        endif()
    endforeach()
endforeach()
foreach(row IN LISTS OBSOLETE)
    string(REGEX REPLACE "^(.*)=(.*)$" "    {\"\\1\", \"\\2\"},\n" row "${row}")
    string(APPEND WINDOWS "${row}")
endforeach()

foreach(first IN LISTS GROUPS)
    foreach(zone IN LISTS GROUP_${first})
        if(DEFINED ID_${zone})
            set(index ${ID_${zone}})
            foreach(other IN LISTS GROUP_${first})
                if(NOT DEFINED ID_${other})
                    set(ID_${other} ${index})
                    list(APPEND ZONES ${other})
                endif()
            endforeach()
            break()
        endif()
    endforeach()
endforeach()
foreach(zone IN LISTS LINKED)
    set(target ${TARGET_${zone}})
    if(DEFINED ID_${target} AND NOT DEFINED ID_${zone})
        set(ID_${zone} ${ID_${target}})
        list(APPEND ZONES ${zone})
    elseif(DEFINED ID_${zone} AND NOT DEFINED ID_${target})
        set(ID_${target} ${ID_${zone}})
        list(APPEND ZONES ${target})
    endif()
endforeach()

foreach(zone IN LISTS ZONES)
    string(APPEND NAMES "    {\"${zone}\", ${ID_${zone}}},\n")
endforeach()
list(LENGTH ZONES count)
if(count LESS 400)
    message(FATAL_ERROR "only ${count} zones found in ${CLDR}")
endif()
file(WRITE ${OUT} "/* Made from Unicode CLDR by scripts/zone-table.cmake; do not edit. */
static const struct windows_row {
    const char *id, *zone;
} windows_rows[] = {
${WINDOWS}};
static const struct zone_row {
    const char *zone;
    unsigned short windows; /* index above */
} zone_rows[] = {
${NAMES}};
")
