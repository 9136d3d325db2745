# SPDX-License-Identifier: Apache-2.0
# Run by cpack when everything lies in its staging directory: what Debian wants otherwise than `cmake --install` does it.
set(top ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr)
set(doc ${top}/share/doc/exbridge)

set(BINDIR /usr/bin)
foreach(unit exbridge.service exbridge@.service)
    configure_file(${CPACK_EXBRIDGE_SCRIPTS}/${unit}.in ${top}/lib/systemd/user/${unit} @ONLY)
endforeach()
file(COPY ${CPACK_EXBRIDGE_SCRIPTS}/copyright DESTINATION ${doc})
file(REMOVE ${doc}/README.md)
file(MAKE_DIRECTORY ${top}/share/zsh/vendor-completions)
file(GLOB zsh ${top}/share/zsh/site-functions/_exbridge)
if(zsh)
    file(RENAME ${zsh} ${top}/share/zsh/vendor-completions/_exbridge)
    file(REMOVE_RECURSE ${top}/share/zsh/site-functions)
endif()

set(when $ENV{SOURCE_DATE_EPOCH})
if(NOT when)
    string(TIMESTAMP when %s UTC)
endif()
execute_process(COMMAND date -u -R -d @${when} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(WRITE ${doc}/changelog.Debian
    "exbridge (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
    "  * Version ${CPACK_PACKAGE_VERSION}.\n\n"
    " -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")

file(GLOB_RECURSE texts ${top}/share/man/*.[157] ${doc}/changelog.Debian)
execute_process(COMMAND gzip -9nf ${texts} COMMAND_ERROR_IS_FATAL ANY)
file(GLOB_RECURSE all LIST_DIRECTORIES false ${top}/share/* ${top}/lib/*)
file(CHMOD ${all} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
